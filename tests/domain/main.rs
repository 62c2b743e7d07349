//! The domain against the emulator, and against answers that an emulator never gives.

mod converge;
mod edges;
mod scripted;
