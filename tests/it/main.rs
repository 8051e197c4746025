//! The program against its surroundings, each module one of them.

mod simulation;
