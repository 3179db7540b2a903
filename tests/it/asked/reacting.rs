//! Who is told afterwards.
