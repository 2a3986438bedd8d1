//! Where a database is.

use std::fmt;

use zeroize::Zeroizing;

/// The address of a database: a URL, or several of one PostgreSQL database with its standbys, of which one can be written at a time. It may carry a
/// password, so it prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    urls: Vec<Zeroizing<String>>,
    pooled: bool,
    password: Option<Zeroizing<String>>,
}

impl Address {
    /// Servers of one database, and whether a pooler in transaction mode stands before them.
    #[must_use]
    pub fn new<'a>(urls: impl IntoIterator<Item = &'a str>, pooled: bool) -> Self {
        Self { urls: urls.into_iter().map(|url| Zeroizing::new(url.to_owned())).collect(), pooled, password: None }
    }

    /// The password, in the place of any in the URLs.
    #[must_use]
    pub fn with_password(mut self, password: Zeroizing<String>) -> Self {
        self.password = Some(password);
        self
    }

    pub(super) fn urls(&self) -> impl Iterator<Item = &str> {
        self.urls.iter().map(|url| url.as_str())
    }

    /// The one URL of a database that is a file.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        let [url] = self.urls.as_slice() else { return None };
        url.starts_with("sqlite:").then_some(url)
    }

    /// Whether all of them speak PostgreSQL's protocol.
    pub(super) fn is_postgres(&self) -> bool {
        let known = |url: &str| url.starts_with("postgres://") || url.starts_with("postgresql://");
        !self.urls.is_empty() && self.urls().all(known)
    }

    pub(super) fn password(&self) -> Option<&str> {
        self.password.as_ref().map(|password| password.as_str())
    }

    pub(super) const fn pooled(&self) -> bool {
        self.pooled
    }
}

impl From<&str> for Address {
    fn from(url: &str) -> Self {
        Self::new([url], false)
    }
}

impl From<&String> for Address {
    fn from(url: &String) -> Self {
        url.as_str().into()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address([redacted])")
    }
}
