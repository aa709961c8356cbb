#include "agent/path/kernel_symbols.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/testing/temp_dir.h"

namespace kindling::agent {
namespace {

TEST(KernelSymbolsTest, TheFunctionThatAnAddressIsIn) {
  const base::TempDir directory;
  std::ofstream(directory.File("kallsyms")) << "ffffffff81000000 T _stext\n"
                                               "ffffffff81000100 t tcp_v4_rcv\n"
                                               "ffffffff81000180 d a_variable\n"
                                               "garbage\n"
                                               "\n"
                                               "ffffffff81000200 T nf_hook_slow\t[nf]\n";
  KernelSymbols symbols(directory.File("kallsyms"));
  EXPECT_EQ(symbols.FunctionAt(0xffffffff81000100), "tcp_v4_rcv");
  EXPECT_EQ(symbols.FunctionAt(0xffffffff810001ff), "tcp_v4_rcv");
  EXPECT_EQ(symbols.FunctionAt(0xffffffff81000234), "nf_hook_slow");
  EXPECT_EQ(symbols.FunctionAt(0x1000), "");
  EXPECT_EQ(symbols.FunctionAt(0), "");
}

TEST(KernelSymbolsTest, WhereTheKernelHidesAddressesThereAreNoNames) {
  const base::TempDir directory;
  std::ofstream(directory.File("kallsyms")) << "0000000000000000 T _stext\n"
                                               "0000000000000000 T nf_hook_slow\n";
  KernelSymbols symbols(directory.File("kallsyms"));
  EXPECT_EQ(symbols.FunctionAt(0xffffffff81000100), "");
  EXPECT_EQ(KernelSymbols(directory.File("absent")).FunctionAt(0xffffffff81000100), "");
}

TEST(KernelSymbolsTest, ManyAddressesAreBounded) {
  const base::TempDir directory;
  std::ofstream(directory.File("kallsyms")) << "ffffffff81000000 T _stext\n";
  KernelSymbols symbols(directory.File("kallsyms"));
  for (size_t i = 0; i < KernelSymbols::kAddressesMax; ++i) {
    EXPECT_EQ(symbols.FunctionAt(0xffffffff81000000 + i), "_stext");
  }
  EXPECT_EQ(symbols.FunctionAt(0xffffffff82000000), "");
  EXPECT_EQ(symbols.FunctionAt(0xffffffff81000001), "_stext");
}

}  // namespace
}  // namespace kindling::agent
