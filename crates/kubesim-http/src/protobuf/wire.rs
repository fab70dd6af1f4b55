//! The wire format: numbered values, one after another.

use thiserror::Error;

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Malformed {
    /// The bytes end within a value.
    #[error("unexpected EOF")]
    Short,
    /// A number has more than 64 bits.
    #[error("proto: integer overflow")]
    Overflow,
    /// A field has the number 0, or one that is too large.
    #[error("proto: illegal tag {0}")]
    Tag(u64),
    /// A value has a form that there is not, or that its field does not have.
    #[error("proto: wrong wireType = {0}")]
    Form(u8),
    /// Messages lie within each other too deeply.
    #[error("the message is nested too deeply")]
    Deep,
    /// There are too many values.
    #[error("the message holds too many values")]
    Many,
    /// A text that should be JSON is none, or a time or number is out of its range.
    #[error("{0}")]
    Value(String),
}

/// A value as it lies in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A number of variable length.
    Number(u64),
    /// Eight bytes.
    Eight(u64),
    /// Bytes: a text, a message, or numbers packed together.
    Bytes(&'a [u8]),
    /// Four bytes, or a group: nothing that Kubernetes uses.
    Other(u8),
}

impl Value<'_> {
    /// The number of its form.
    pub(super) fn form(&self) -> u8 {
        match self {
            Value::Number(_) => 0,
            Value::Eight(_) => 1,
            Value::Bytes(_) => 2,
            Value::Other(form) => *form,
        }
    }
}

/// What is left of a message.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

/// Groups within each other are skipped so deep.
const DEEPEST_GROUP: usize = 32;

impl<'a> Reader<'a> {
    /// The next field and its value; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.number()?;
        let field = u32::try_from(tag >> 3).ok().filter(|field| *field > 0);
        let field = field.ok_or(Malformed::Tag(tag))?;
        let value = match (tag & 7) as u8 {
            0 => Value::Number(self.number()?),
            1 => Value::Eight(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = usize::try_from(self.number()?).map_err(|_| Malformed::Short)?;
                Value::Bytes(self.take(length)?)
            }
            3 => {
                self.skip_group(field, DEEPEST_GROUP)?;
                Value::Other(3)
            }
            5 => {
                let _: [u8; 4] = self.fixed()?;
                Value::Other(5)
            }
            form => return Err(Malformed::Form(form)),
        };
        Ok(Some((field, value)))
    }

    /// A number of variable length: seven bits a byte, the lowest first.
    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0u64;
        for (at, byte) in self.0.iter().enumerate() {
            let bits = u64::from(byte & 0x7f);
            if at > 9 || (at == 9 && bits > 1) {
                return Err(Malformed::Overflow);
            }
            number |= bits << (7 * at);
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Ok(number);
            }
        }
        Err(Malformed::Short)
    }

    /// So many bytes of a fixed size.
    pub(super) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| Malformed::Short)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Passes over all up to the end of a group.
    fn skip_group(&mut self, field: u32, depth: usize) -> Result<(), Malformed> {
        if depth == 0 {
            return Err(Malformed::Deep);
        }
        loop {
            let before = *self;
            let tag = self.number()?;
            match (tag & 7, tag >> 3) {
                (4, end) if end == u64::from(field) => return Ok(()),
                (4, _) => return Err(Malformed::Form(4)),
                (3, inner) => {
                    let inner = u32::try_from(inner).map_err(|_| Malformed::Tag(tag))?;
                    self.skip_group(inner, depth - 1)?;
                }
                _ => {
                    *self = before;
                    self.next()?.ok_or(Malformed::Short)?;
                }
            }
        }
    }
}
