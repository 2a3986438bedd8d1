//! The proof that a signature was checked: made in this room only.

/// A value whose signature was checked with the key its caller looked up. There is no other way to make one than the checks of this room.
#[derive(Clone)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(in crate::message) const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value.
    #[must_use]
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// The value, without the proof.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> std::fmt::Debug for Verified<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verified([redacted])")
    }
}
