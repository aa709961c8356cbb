import os
import tempfile
import unittest

import check_layering


def faults(path, text):
    return check_layering.faults_in(path, text)


class LayeringTest(unittest.TestCase):

    def refused(self, path, text, words):
        found = faults(path, text)
        self.assertEqual(len(found), 1, found)
        self.assertIn(words, found[0])

    def allowed(self, path, text):
        self.assertEqual(faults(path, text), [])

    def test_table(self):
        self.allowed("model/span.h", '#include "base/clock.h"\n')
        self.allowed("agent/agent.cc", '#include "kindling/v1/ingest.pb.h"\n#include "model/span.h"\n')
        self.allowed("tests/e2e/a.cc", '#include "agent/agent.h"\n#include "storage/store.h"\n')
        self.refused("base/clock.h", '#include "model/span.h"\n', "base/ may not include from model/")
        self.refused("model/span.h", '#include "kindling/v1/span.pb.h"\n', "model/ may not include from api/")
        self.refused("agent/agent.cc", '#include "storage/store.h"\n', "agent/ may not include from storage/")
        self.refused("agent/agent.cc", '#include "controller/a.h"\n', "agent/ may not include from controller/")
        self.refused("ui/cli/a.cc", '#include "controller/a.h"\n', "ui/ may not include from controller/")
        self.refused("controller/a.cc", '#include "tests/a.h"\n', "controller/ may not include from tests/")

    def test_a_test_obeys_the_table_too(self):
        self.refused("base/clock_test.cc", '#include "agent/a.h"\n', "base/ may not include from agent/")

    def test_line_number(self):
        self.refused("base/a.h", '#pragma once\n\n#include "model/a.h"\n', "base/a.h:3:")

    def test_spaced_include(self):
        self.refused("base/a.h", '#  include   "model/a.h"\n', "base/ may not")

    def test_rocksdb(self):
        self.allowed("storage/db.cc", "#include <rocksdb/db.h>\n")
        self.refused("controller/a.cc", "#include <rocksdb/db.h>\n", "only storage/")
        self.refused("tests/a.cc", '#include "rocksdb/db.h"\n', "only storage/")
        self.allowed("tests/load/store/row_store.cc", "#include <rocksdb/db.h>\n")

    def test_bpf(self):
        self.allowed("bpf/socket.bpf.c", '#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n#include "bpf/wire/a.h"\n')
        self.allowed("bpf/lib/iov_test.cc", '#include "bpf/lib/iov.h"\n#include <gtest/gtest.h>\n')
        self.refused("bpf/socket.bpf.c", '#include "base/a.h"\n', "bpf/ may not include from base/")
        self.refused("bpf/socket.bpf.c", '#include "vmlinux.h"\n', "nothing from outside")
        self.refused("bpf/lib/iov.h", "#include <vector>\n", "not <vector>")

    def test_agent_flow(self):
        self.allowed("agent/capture/a.cc", '#include "agent/kernel/a.h"\n')
        self.allowed("agent/export/a.cc", '#include "agent/aggregate/a.h"\n')
        self.allowed("agent/agent.cc", '#include "agent/export/a.h"\n')
        self.allowed("agent/capture/a.cc", '#include "agent/protocols/codec.h"\n')
        self.refused("agent/capture/a.cc", '#include "agent/aggregate/a.h"\n', "only from earlier stages and the next")
        self.refused("agent/identity/a.cc", '#include "agent/network/a.h"\n', "only from earlier stages and the next")
        self.refused("agent/protocols/http1/a.cc", '#include "agent/capture/a.h"\n', "bytes only")

    def test_folders_that_include_each_other(self):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {
                    "agent/kernel/a.h": '#include "agent/capture/a.h"\n',
                    "agent/capture/b.cc": '#include "agent/kernel/b.h"\n',
            }.items():
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            found = check_layering.check(root)
        self.assertEqual(len(found), 1, found)
        self.assertIn("agent/capture and agent/kernel include from each other", found[0])

    def test_flags(self):
        self.allowed("agent/main.cc", "#include <gflags/gflags.h>\nDEFINE_string(config, \"\", \"\");\n")
        self.refused("agent/a.cc", "#include <gflags/gflags.h>\n", "main.cc")
        self.refused("agent/a.cc", "DEFINE_bool(x, true, \"\");\n", "main.cc")
        self.refused("agent/a.cc", "int x = FLAGS_x;\n", "main.cc")
        self.refused("agent/a.cc", "ABSL_FLAG(bool, x, true, \"\");\n", "main.cc")
        self.allowed("agent/a.cc", "// no FLAGS_x here\n")

    def test_relative(self):
        self.refused("agent/a.cc", '#include "../base/a.h"\n', "relative")


if __name__ == "__main__":
    unittest.main()
