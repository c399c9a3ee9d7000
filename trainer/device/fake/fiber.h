// Fibers: stacks that one thread of the system switches between, each running threads of a block.
#pragma once

// switch_stack saves the registers that a call keeps on this stack, its pointer in *from, and goes on where to was saved.
extern "C" void switch_stack(void **from, void *to);

// new_stack is what to switch to so that enter is called on a stack of its own, which begins below top.
void *new_stack(void *top, void (*enter)());
