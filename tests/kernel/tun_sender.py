"""Has packets arrive at a device of its own: tun_sender.py tun|tap NAME HEX COUNT. A tun device takes IP packets, a tap
device Ethernet frames. The device goes with the program.
"""

import fcntl
import os
import struct
import subprocess
import sys
import time

_TUNSETIFF = 0x400454CA
_MODES = {"tun": 0x0001, "tap": 0x0002}
_NO_PACKET_INFORMATION = 0x1000
# So that a capture can still ask for the name of the device.
_LINGER_S = 0.5


def main() -> None:
    mode, name, packet, count = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]), int(sys.argv[4])
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _MODES[mode] | _NO_PACKET_INFORMATION))
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    for _ in range(count):
        os.write(device, packet)
    time.sleep(_LINGER_S)


if __name__ == "__main__":
    main()
