// The parser: what it understands, and how it refuses what it does not.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/vgpu/ptx/error.h"
#include "tests/vgpu/ptx/parser.h"

namespace vgpu::ptx {
namespace {

constexpr std::string_view kHeader = ".version 8.7\n.target sm_90\n.address_size 64\n";

Module parse_after_header(std::string_view text) {
  return parse(std::string(kHeader) + std::string(text));
}

std::string error_of(std::string_view text) {
  try {
    (void)parse_after_header(text);
  } catch (const PtxError& error) {
    return error.what();
  }
  return "no error";
}

const Instruction& only_instruction(const Module& m) {
  return m.functions.at(0).instructions.at(0);
}

TEST(Parser, KeepsOpcodeModifiersAndGuard) {
  const Module m = parse_after_header(
      ".entry f() { .reg .pred %p<2>; .reg .b32 %r<3>; @!%p1 ld.global.v2.b32 {%r1, %r2}, "
      "[%r0+-8]; }");
  const Instruction& ins = only_instruction(m);
  EXPECT_EQ(ins.spelling(), "ld.global.v2.b32");
  EXPECT_TRUE(ins.guard_negated);
  EXPECT_EQ(ins.guard, 1);
  ASSERT_EQ(ins.operands.size(), 2u);
  EXPECT_EQ(ins.operands[0].kind, Operand::Kind::vector);
  EXPECT_EQ(ins.operands[1].kind, Operand::Kind::address);
  EXPECT_EQ(static_cast<std::int64_t>(ins.operands[1].value), -8);
}

TEST(Parser, NestedScopesReuseNames) {
  const Module m = parse_after_header(
      ".entry f() { .reg .b32 %r<2>;\n"
      "{ .reg .b32 %x; L: mov.b32 %x, 1; bra L; }\n"
      "{ .reg .b32 %x; L: mov.b32 %x, 2; bra L; }\n"
      "bra L; L: ret; }");
  const auto& code = m.functions.at(0).instructions;
  ASSERT_EQ(code.size(), 6u);
  EXPECT_NE(code[0].operands[0].index, code[2].operands[0].index);
  EXPECT_EQ(code[1].operands[0].index, 0);
  EXPECT_EQ(code[3].operands[0].index, 2);
  EXPECT_EQ(code[4].operands[0].index, 5);
}

TEST(Parser, InitialisersHoldNumbersAndAddresses) {
  const Module m = parse_after_header(
      ".global .align 4 .b8 bytes[8] = {1, 0xff, 07};\n"
      ".global .f32 real = 0f3F800000;\n"
      ".global .u64 pointers[3] = {generic(bytes)+4, bytes, 5};\n"
      ".global .b8 part[2] = {0xFF(bytes), 0xFF00(bytes)};\n"
      ".global .attribute(.managed) .align 8 .u64 managed = 3;\n");
  ASSERT_EQ(m.variables.size(), 5u);
  EXPECT_EQ(m.variables[0].bytes, 8u);
  EXPECT_EQ(m.variables[0].initial.size(), 3u);
  EXPECT_EQ(m.variables[0].initial[2], std::byte{7});
  EXPECT_EQ(m.variables[1].initial[3], std::byte{0x3f});
  ASSERT_EQ(m.variables[2].relocations.size(), 2u);
  EXPECT_EQ(m.variables[2].relocations[0].addend, 4);
  EXPECT_EQ(m.variables[2].relocations[1].offset, 8u);
  EXPECT_EQ(m.variables[3].relocations[1].mask, 0xff00u);
  EXPECT_TRUE(m.variables[4].managed);
}

TEST(Parser, FollowsInliningToTheUsersLine) {
  const Module m = parse_after_header(
      ".entry f()\n{\n.reg .b32 %a;\n.loc 1 10 3\nmov.u32 %a, 1;\n"
      ".loc 2 20 1, function_name $L__info_string0, inlined_at 1 10 3\nmov.u32 %a, 2;\n"
      ".loc 3 30 1, function_name $L__info_string1+4, inlined_at 2 20 1\nmov.u32 %a, 3;\n}\n"
      ".file 1 \"user.cu\"\n.file 2 \"middle.h\"\n.file 3 \"inner.h\", 123, 456\n"
      ".section .debug_str\n{\n$L__info_string0:\n.b8 95,90,0\n}\n");
  const auto& code = m.functions.at(0).instructions;
  ASSERT_EQ(code.size(), 3u);
  const Location& inner = m.locations.at(static_cast<std::size_t>(code[2].location));
  EXPECT_EQ(inner.line, 30);
  const Location& middle = m.locations.at(static_cast<std::size_t>(inner.inlined_at));
  EXPECT_EQ(middle.line, 20);
  const Location& user = m.locations.at(static_cast<std::size_t>(middle.inlined_at));
  EXPECT_EQ(user.line, 10);
  EXPECT_EQ(user.inlined_at, -1);
  EXPECT_EQ(m.files.at(1), "user.cu");
}

TEST(Parser, KernelDirectives) {
  const Module m = parse_after_header(
      ".visible .entry f(.param .u64 .ptr .global .align 16 a, .param .align 8 .b8 s[24])\n"
      ".maxntid 128, 2\n.minnctapersm 3\n.maxnreg 64\n.reqnctapercluster 2, 1, 1\n{ ret; }");
  const Function& f = m.functions.at(0);
  EXPECT_TRUE(f.kernel);
  EXPECT_EQ(f.max_threads[0] * f.max_threads[1] * f.max_threads[2], 256u);
  EXPECT_EQ(f.min_blocks, 3u);
  EXPECT_EQ(f.max_registers, 64u);
  EXPECT_EQ(f.required_cluster[0], 2u);
  ASSERT_EQ(f.parameters.size(), 2u);
  EXPECT_EQ(f.variables[1].bytes, 24u);
  EXPECT_EQ(f.variables[1].alignment, 8u);
}

TEST(Parser, DefinitionReplacesDeclaration) {
  const Module m = parse_after_header(
      ".func (.param .b32 r) g (.param .b32 x);\n"
      ".func (.param .b32 r) g (.param .b32 x) { ret; }\n"
      ".extern .func (.param .b32 r) vprintf (.param .b64 a, .param .b64 b);");
  ASSERT_EQ(m.functions.size(), 2u);
  EXPECT_TRUE(m.functions[0].defined);
  EXPECT_FALSE(m.functions[1].defined);
}

TEST(Parser, ErrorsNameTheLine) {
  EXPECT_EQ(error_of(".entry f() { ret }"), "line 4: expected an operand before '}'");
  EXPECT_EQ(error_of(".entry f()\n{\nbra L;\n}"), "line 6: branch to an unknown label");
  EXPECT_EQ(error_of(".entry f() {"), "line 4: a function without its end");
  EXPECT_EQ(error_of("\n.nonsense"), "line 5: unknown directive 'nonsense'");
  EXPECT_EQ(error_of(".entry f() { @%p bra L; }"), "line 4: %p is no predicate");
  EXPECT_EQ(error_of(".global .b7 x;"), "line 4: unknown type 'b7'");
  EXPECT_EQ(error_of(".global .b8 x[99999999999999];"), "line 4: a variable above 64 GiB");
  EXPECT_EQ(error_of(".entry f() { .reg .b32 %r<2000000000>; }"),
            "line 4: more than a million registers");
  EXPECT_EQ(error_of(".entry f() {} .entry f() {}"), "line 4: f is defined twice");
}

TEST(Parser, DeepNestingIsRefused) {
  EXPECT_NE(error_of(".entry f() {" + std::string(100000, '{')).find("nested too deep"),
            std::string::npos);
  EXPECT_NE(error_of(".global .b8 x = " + std::string(100000, '{')).find("nested too deep"),
            std::string::npos);
  EXPECT_NE(error_of(".entry f() { mov.b32 " + std::string(100000, '!')).find("nested too deep"),
            std::string::npos);
}

}  // namespace
}  // namespace vgpu::ptx
