//! What evaluation and explanation owe the rows, and the laws that hold for everybody.

mod laws;
mod sources;
mod world;
