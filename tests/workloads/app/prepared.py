"""Binary prepared statements over a PyMySQL connection, which itself speaks only the text protocol.

Every parameter is sent as a string; rows are counted, not decoded.
"""

import struct
from typing import Any

from pymysql.constants import COMMAND
from pymysql.protocol import MysqlPacket

_TYPE_VAR_STRING = 0xFD


def _length_encoded(value: bytes) -> bytes:
    if len(value) >= 251:
        raise ValueError("parameter longer than 250 bytes")
    return bytes([len(value)]) + value


def encode_execute(statement_id: int, params: list[str]) -> bytes:
    """The body of COM_STMT_EXECUTE after the command byte."""
    body = struct.pack("<IBI", statement_id, 0, 1)
    if not params:
        return body
    null_bitmap = bytes((len(params) + 7) // 8)
    types = struct.pack("<BB", _TYPE_VAR_STRING, 0) * len(params)
    values = b"".join(_length_encoded(param.encode("utf-8")) for param in params)
    return body + null_bitmap + b"\x01" + types + values


class PreparedStatement:
    """One statement on one connection. Not thread safe, like the connection."""

    def __init__(self, connection: Any, sql: str) -> None:
        self._connection = connection
        connection._execute_command(COMMAND.COM_STMT_PREPARE, sql)
        packet: MysqlPacket = connection._read_packet()
        _, self._id, columns, params = struct.unpack_from("<BIHH", packet.get_all_data())
        self._params = params
        for definitions in (params, columns):
            if definitions:
                self._skip_until_eof()

    def execute(self, params: list[str]) -> int:
        """Returns the number of rows."""
        if len(params) != self._params:
            raise ValueError(f"{self._params} parameters needed, {len(params)} given")
        self._connection._execute_command(COMMAND.COM_STMT_EXECUTE,
                                          encode_execute(self._id, params))
        packet = self._connection._read_packet()
        if packet.is_ok_packet():
            return 0
        self._skip_until_eof()
        return self._skip_until_eof()

    def close(self) -> None:
        """COM_STMT_CLOSE; the server does not answer it."""
        self._connection._execute_command(COMMAND.COM_STMT_CLOSE, struct.pack("<I", self._id))

    def _skip_until_eof(self) -> int:
        skipped = 0
        while not self._connection._read_packet().is_eof_packet():
            skipped += 1
        return skipped
