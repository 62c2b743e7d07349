//! Apply, read again, plan again: the second plan is empty. Against the emulator, over real HTTP, in this process.

mod calls;
mod faults;
mod fixture;
mod kills;
mod pairs;
mod rules;
mod stacks;
