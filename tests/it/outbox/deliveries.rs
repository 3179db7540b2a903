//! One webhook in many moods of its receiver.
