//! Reading an object of claims member by member: what is missing, malformed or unknown is named, never quoted.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{json::JsonError, jws::TokenError, schema::holds_my_number};
use crate::domain::{
    refusal::{Refusal, RefusalCode},
    time::Timestamp,
};

/// The members of one object that were not read yet.
pub(super) struct Members {
    left: Map<String, Value>,
    code: RefusalCode,
    owner: &'static str,
}

impl Members {
    /// Of a claim set, or of the object that stands in the claim `owner`.
    pub(super) fn of(value: Value, owner: &'static str, code: RefusalCode) -> Result<Self, Refusal> {
        match value {
            Value::Object(members) => Ok(Self { left: members, code, owner }),
            _ => Err(Refusal::claim(code, owner, "object")),
        }
    }

    /// The refusal that names a claim.
    pub(super) fn refusal(&self, claim: &'static str, rule: &'static str) -> Refusal {
        Refusal::claim(self.code, claim, rule)
    }

    /// A member that may be absent. `null` is not absent. Not for types that serde reads from arrays as well as objects.
    pub(super) fn take_opt<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<Option<T>, Refusal> {
        let Some(value) = self.left.remove(name) else { return Ok(None) };
        serde_json::from_value(value).map(Some).map_err(|_| self.refusal(name, "form"))
    }

    /// A member that must be there.
    pub(super) fn take<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, Refusal> {
        self.take_opt(name)?.ok_or_else(|| self.refusal(name, "missing"))
    }

    /// A list without repetitions that holds something.
    pub(super) fn set<T: DeserializeOwned + PartialEq>(&mut self, name: &'static str) -> Result<Vec<T>, Refusal> {
        let list: Vec<T> = self.take(name)?;
        if list.is_empty() {
            return Err(self.refusal(name, "empty"));
        }
        let repeated = list.iter().enumerate().any(|(at, value)| list.iter().take(at).any(|before| before == value));
        if repeated { Err(self.refusal(name, "repeated")) } else { Ok(list) }
    }

    /// A set that may be absent, but not empty.
    pub(super) fn set_opt<T: DeserializeOwned + PartialEq>(&mut self, name: &'static str) -> Result<Option<Vec<T>>, Refusal> {
        if self.left.contains_key(name) { self.set(name).map(Some) } else { Ok(None) }
    }

    /// A NumericDate in whole seconds (RFC 7519 section 2).
    pub(super) fn date(&mut self, name: &'static str) -> Result<Timestamp, Refusal> {
        self.date_opt(name)?.ok_or_else(|| self.refusal(name, "missing"))
    }

    /// A NumericDate that may be absent.
    pub(super) fn date_opt(&mut self, name: &'static str) -> Result<Option<Timestamp>, Refusal> {
        let secs: Option<u64> = self.take_opt(name)?;
        secs.map(|secs| i64::try_from(secs).ok().filter(|secs| *secs <= MAX_NUMERIC_DATE).map(Timestamp::from_secs))
            .map(|date| date.ok_or_else(|| self.refusal(name, "range")))
            .transpose()
    }

    /// A text of 1 to `max` characters that a person may have written: it holds no 個人番号.
    pub(super) fn text(&mut self, name: &'static str, max: usize) -> Result<String, Refusal> {
        self.text_opt(name, max)?.ok_or_else(|| self.refusal(name, "missing"))
    }

    /// The same, may be absent.
    pub(super) fn text_opt(&mut self, name: &'static str, max: usize) -> Result<Option<String>, Refusal> {
        self.no_my_number(name)?;
        self.machine_text_opt(name, max)
    }

    /// A member that people may have written texts in: none holds a 個人番号.
    pub(super) fn written<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, Refusal> {
        self.no_my_number(name)?;
        self.take(name)
    }

    fn no_my_number(&self, name: &'static str) -> Result<(), Refusal> {
        let found = self.left.get(name).is_some_and(holds_my_number);
        if found { Err(Refusal::claim(RefusalCode::ProhibitedMyNumber, name, "my_number")) } else { Ok(()) }
    }

    /// A text of 1 to `max` characters that programs make: a path with ids, a token. Random ids may look like a 個人番号.
    pub(super) fn machine_text(&mut self, name: &'static str, max: usize) -> Result<String, Refusal> {
        self.machine_text_opt(name, max)?.ok_or_else(|| self.refusal(name, "missing"))
    }

    /// The same, may be absent.
    pub(super) fn machine_text_opt(&mut self, name: &'static str, max: usize) -> Result<Option<String>, Refusal> {
        let text: Option<String> = self.take_opt(name)?;
        match text {
            Some(text) if text.is_empty() || text.chars().count() > max => Err(self.refusal(name, "length")),
            text => Ok(text),
        }
    }

    /// An object that must be there, read by its own reader.
    pub(super) fn object<T>(&mut self, name: &'static str, read: impl FnOnce(Self) -> Result<T, Refusal>) -> Result<T, Refusal> {
        self.object_opt(name, read)?.ok_or_else(|| self.refusal(name, "missing"))
    }

    /// An object that may be absent.
    pub(super) fn object_opt<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Self) -> Result<T, Refusal>,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = self.left.remove(name) else { return Ok(None) };
        read(Self::of(value, name, self.code)?).map(Some)
    }

    /// A list of objects that may be absent.
    pub(super) fn objects_opt<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(Self) -> Result<T, Refusal>,
    ) -> Result<Option<Vec<T>>, Refusal> {
        let list: Option<Vec<Value>> = self.take_opt(name)?;
        list.map(|list| list.into_iter().map(|value| read(Self::of(value, name, self.code)?)).collect()).transpose()
    }

    /// Nothing else may be there.
    pub(super) fn end(self) -> Result<(), Refusal> {
        if self.left.is_empty() { Ok(()) } else { Err(self.refusal(self.owner, "unknown_member")) }
    }
}

/// Builds an object of claims.
#[derive(Default)]
pub(super) struct Object {
    members: Map<String, Value>,
    fault: bool,
}

impl Object {
    /// Adds a member.
    pub(super) fn with<T: Serialize>(mut self, name: &str, value: &T) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => {
                self.members.insert(name.to_owned(), value);
            }
            Err(_) => self.fault = true,
        }
        self
    }

    /// Adds a member when there is one.
    pub(super) fn with_opt<T: Serialize>(self, name: &str, value: Option<&T>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// Adds a NumericDate.
    pub(super) fn date(self, name: &str, at: Timestamp) -> Self {
        self.with(name, &at.secs())
    }

    /// Adds a NumericDate when there is one.
    pub(super) fn date_opt(self, name: &str, at: Option<Timestamp>) -> Self {
        self.with_opt(name, at.map(Timestamp::secs).as_ref())
    }

    /// The members; an error when one of them has no JSON form.
    pub(super) fn members(self) -> Result<Map<String, Value>, TokenError> {
        if self.fault { Err(TokenError::Payload(JsonError::Syntax)) } else { Ok(self.members) }
    }

    /// The value; an error when one of the members has no JSON form.
    pub(super) fn build(self) -> Result<Value, TokenError> {
        self.members().map(Value::Object)
    }
}

/// The last second of the year 9999.
const MAX_NUMERIC_DATE: i64 = 253_402_300_799;
