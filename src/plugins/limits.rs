//! What a plugin may use: the bounds of everybody, and those that its operator sets.

use std::time::Duration;

/// Most bytes of a component's file.
pub const COMPONENT_BYTES_MAX: u64 = 32 << 20;
/// Most changes, findings, claims or notes in one answer.
pub const ANSWERS_MAX: usize = 200;
/// Most lines of one call that are kept; the others are counted.
pub const LOG_LINES_MAX: usize = 64;
/// Most bytes of a line.
pub const LOG_LINE_BYTES_MAX: usize = 1024;
/// The stack of a call.
pub const STACK_BYTES_MAX: usize = 512 << 10;
/// The largest memory that an operator can allow.
pub const MEMORY_BYTES_MAX: usize = 256 << 20;
/// Most entries of one table of functions.
pub const TABLE_ELEMENTS_MAX: usize = 1 << 16;
/// Most core instances that one component is made of: those of interpreters are made of many.
pub const CORE_INSTANCES_MAX: u32 = 64;
/// Most memories of a component.
pub const MEMORIES_MAX: u32 = 4;
/// Most tables of a component.
pub const TABLES_MAX: u32 = 32;
/// Most bytes of the schema of a plugin's settings.
pub const SETTINGS_SCHEMA_BYTES_MAX: usize = 256 << 10;

/// What one plugin may use in one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The budget of instructions: the same input takes the same, on any machine.
    pub fuel: u64,
    /// The clock behind it, and how long a call waits for a slot.
    pub deadline: Duration,
    /// Its memory, all of its memories together.
    pub memory_bytes: usize,
    /// Its answer, and each text that it hands to the host.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 50_000_000,
            deadline: Duration::from_secs(1),
            memory_bytes: 32 << 20,
            output_bytes: 256 << 10,
        }
    }
}
