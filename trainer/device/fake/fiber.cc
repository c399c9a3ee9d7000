#include "fiber.h"

#include <stdint.h>

#if defined(__x86_64__)

// The registers that the System V ABI lets a function keep, section 3.2.1; rounding and exception masks never change here.
__asm__(
    ".text\n"
    ".globl switch_stack\n"
    ".hidden switch_stack\n"
    ".type switch_stack,@function\n"
    "switch_stack:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
    // No ret: the processor would expect to return to who called this function last.
    "  popq %rcx\n  jmp *%rcx\n"
    ".size switch_stack,.-switch_stack\n");

void *new_stack(void *top, void (*enter)()) {
  auto p = (void **)((uintptr_t)top & ~(uintptr_t)15);
  *--p = nullptr;        // enter finds the stack as after a call: 8 above a multiple of 16
  *--p = (void *)enter;  // where the jump goes
  for (int i = 0; i < 6; i++) *--p = nullptr;
  return p;
}

#else

#include <ucontext.h>

#include <map>
#include <memory>

// Elsewhere a stack is a ucontext; who switches for the first time gets one, too.
static thread_local void (*entering)();
static void start() { entering(); }

struct Saved {
  ucontext_t context;
  void (*enter)();
};

extern "C" void switch_stack(void **from, void *to) {
  Saved mine;
  mine.enter = nullptr;
  *from = &mine;
  auto next = (Saved *)to;
  if (next->enter) entering = next->enter;
  swapcontext(&mine.context, &next->context);
}

void *new_stack(void *top, void (*enter)()) {
  auto end = (char *)((uintptr_t)top & ~(uintptr_t)15);
  auto s = (Saved *)(end - (sizeof(Saved) + 15) / 16 * 16);
  s->enter = enter;
  getcontext(&s->context);
  s->context.uc_stack.ss_size = 64 << 10;
  s->context.uc_stack.ss_sp = (char *)s - s->context.uc_stack.ss_size;
  s->context.uc_link = nullptr;
  makecontext(&s->context, start, 0);
  return s;
}

#endif
