import unittest
from pathlib import Path

import cgroups


class CgroupsTest(unittest.TestCase):
    def test_own_group(self) -> None:
        self.assertEqual(cgroups.own_group("0::/\n"), "/")
        self.assertEqual(cgroups.own_group("1:name=systemd:/x\n0::/system.slice/ci.service\n"),
                         "/system.slice/ci.service")
        self.assertEqual(cgroups.own_group("4:memory:/a\n"), "/")

    def test_mount(self) -> None:
        v1 = "30 23 0:26 / /sys/fs/cgroup/pids rw,nosuid - cgroup cgroup rw,pids\n"
        v2 = "42 30 0:33 / /sys/fs/cgroup/unified {} shared:4 - cgroup2 cgroup2 rw\n"
        self.assertEqual(cgroups.version2_mount(v1 + v2.format("rw,nosuid")),
                         Path("/sys/fs/cgroup/unified"))
        self.assertIsNone(cgroups.version2_mount(v1 + v2.format("ro,nosuid")))
        self.assertIsNone(cgroups.version2_mount(v1))


if __name__ == "__main__":
    unittest.main()
