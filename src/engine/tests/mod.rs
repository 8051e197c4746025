//! Single behaviours, in steps. What must hold whatever happens is the simulation's to show.

mod adoption;
mod begin;
mod bench;
mod fleet;
mod follow;
mod left_alone;
mod lookup;
mod polling;
mod restart;
mod said;
mod together;
