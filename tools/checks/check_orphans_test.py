import os
import tempfile
import unittest

import check_orphans


class OrphansTest(unittest.TestCase):

    def check(self, files):
        with tempfile.TemporaryDirectory() as root:
            for path, text in files.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            return check_orphans.check(root)

    def test_named_files_pass(self):
        self.assertEqual(
            self.check({
                "a/BUILD.bazel": 'cc_library(srcs = ["x.cc"], hdrs = ["x.h", "sub/y.h"])',
                "a/x.cc": "",
                "a/x.h": "",
                "a/sub/y.h": "",
                "a/README.md": "",
            }), [])

    def test_test_left_out(self):
        faults = self.check({"a/BUILD.bazel": '"x.cc"', "a/x.cc": "", "a/x_test.cc": "", "a/x_fuzz.cc": ""})
        self.assertEqual(faults, [
            "a/x_fuzz.cc: in no target of a/BUILD.bazel",
            "a/x_test.cc: in no target of a/BUILD.bazel",
        ])

    def test_named_only_in_a_comment(self):
        self.assertEqual(len(self.check({"a/BUILD.bazel": '# "x.h"\n', "a/x.h": ""})), 1)

    def test_named_only_in_another_folder(self):
        self.assertEqual(
            len(self.check({"a/BUILD.bazel": '"x.h"', "b/BUILD.bazel": "", "a/x.h": "", "b/x.h": ""})), 1)

    def test_no_build_file(self):
        self.assertEqual(self.check({"a/x.proto": ""}), ["a/x.proto: no BUILD.bazel above it"])

    def test_scripts_that_are_tests(self):
        self.assertEqual(len(self.check({"a/BUILD.bazel": "", "a/x_test.sh": "", "a/y_test.py": "", "a/z.sh": ""})), 2)

    def test_build_output_is_not_looked_at(self):
        self.assertEqual(self.check({"bazel-out/a/x.cc": "", "node_modules/a/x.h": "", "dist/y.c": ""}), [])


if __name__ == "__main__":
    unittest.main()
