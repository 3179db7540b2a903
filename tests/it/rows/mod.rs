//! One test or more per row of the reliability and security checklist, named after the row.
