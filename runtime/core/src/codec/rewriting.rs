//! MessagePack, changed where a type's layout asks for it: an empty array of bytes is `bin`, and a field that is not there
//! and has no default is proto3's.

mod head;

use bytes::{BufMut, BytesMut};

use self::head::{Head, put_map};
use super::layout::{Fields, Id, Layout, Node};

/// How many times the message a changed one may be, and how many bytes more: a field that is added has its name.
const GROWTH: usize = 32;
const MORE: usize = 4 << 10;

/// The message as its layout has it; `None` where it is no such message, or nests more deeply than this.
///
/// `complete` adds the fields that it does not have and its type cannot do without.
pub(super) fn rewrite(layout: &Layout, message: &[u8], complete: bool, depth: usize) -> Option<BytesMut> {
    let limit = message.len().saturating_mul(GROWTH).saturating_add(MORE);
    let out = BytesMut::with_capacity(message.len() + 64);
    let mut rewriting = Rewriting { layout, rest: message, out, complete, limit };
    rewriting.value(&layout.root, depth)?;
    rewriting.rest.is_empty().then_some(rewriting.out)
}

struct Rewriting<'a> {
    layout: &'a Layout,
    rest: &'a [u8],
    out: BytesMut,
    complete: bool,
    limit: usize,
}

const EMPTY_BIN: &[u8] = &[0xc4, 0];

impl<'a> Rewriting<'a> {
    fn value(&mut self, node: &Node, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let head = Head::of(self.rest)?;
        match (node, head) {
            (Node::Bytes, Head::Array { count: 0, .. }) => {
                self.take(head.len())?;
                self.out.put_slice(EMPTY_BIN);
            }
            (Node::Struct(id), Head::Map { count, .. }) => {
                self.take(head.len())?;
                self.fields(self.layout.structs.get(id), count, depth)?;
            }
            (Node::Enum(id), Head::Map { count: 1, .. }) => {
                self.copy(head.len())?;
                let name = self.key()?;
                let node = self.layout.enums.get(id).and_then(|variants| variants.get(name?));
                self.value(node.unwrap_or(&Node::Opaque), depth)?;
            }
            (Node::Many(inner), Head::Array { count, .. }) => {
                self.copy(head.len())?;
                (0..count).try_for_each(|_| self.value(inner, depth))?;
            }
            (Node::Map(inner), Head::Map { count, .. }) => {
                self.copy(head.len())?;
                for _ in 0..count {
                    self.value(&Node::Opaque, depth)?;
                    self.value(inner, depth)?;
                }
            }
            (_, Head::Array { count, .. }) => {
                self.copy(head.len())?;
                (0..count).try_for_each(|_| self.value(&Node::Opaque, depth))?;
            }
            (_, Head::Map { count, .. }) => {
                self.copy(head.len())?;
                (0..2 * u64::from(count)).try_for_each(|_| self.value(&Node::Opaque, depth))?;
            }
            (_, Head::Plain { len }) => self.copy(len)?,
        }
        (self.out.len() <= self.limit).then_some(())
    }

    /// The entries of a struct, whose head has been taken and not written.
    fn fields(&mut self, fields: Option<&Fields>, count: u32, depth: usize) -> Option<()> {
        let required = fields.filter(|_| self.complete).map_or(&[][..], |fields| &fields.required);
        let mut missing: Vec<_> = required.to_vec();
        let before = self.out.len();
        for _ in 0..count {
            let name = self.key()?;
            let own = |name: &str| fields?.aliases.get(name).copied();
            missing.retain(|field| name != Some(*field) && name.and_then(own) != Some(*field));
            let node = name.and_then(|name| fields?.nodes.get(own(name).unwrap_or(name)));
            self.value(node.unwrap_or(&Node::Opaque), depth)?;
        }
        let mut added = 0;
        for field in missing {
            added += u32::from(self.blank_field(fields?, field, depth)?);
        }
        let entries = self.out.split_off(before);
        put_map(&mut self.out, count.checked_add(added)?);
        self.out.unsplit(entries);
        Some(())
    }

    /// Adds a field as proto3 has it where it is not there; false where it is not known what that is.
    fn blank_field(&mut self, fields: &Fields, field: &str, depth: usize) -> Option<bool> {
        let before = self.out.len();
        head::put_text(&mut self.out, field);
        let known = match fields.nodes.get(field) {
            Some(node) => self.blank(node, depth)?,
            None => false,
        };
        if !known {
            self.out.truncate(before);
        }
        Some(known)
    }

    fn blank(&mut self, node: &Node, depth: usize) -> Option<bool> {
        let depth = depth.checked_sub(1)?;
        match node {
            Node::Bool => self.out.put_u8(0xc2),
            Node::Number | Node::Byte => self.out.put_u8(0),
            Node::Text => self.out.put_u8(0xa0),
            Node::Bytes => self.out.put_slice(EMPTY_BIN),
            Node::Many(_) => self.out.put_u8(0x90),
            Node::Map(_) => self.out.put_u8(0x80),
            Node::Struct(id) => return self.blank_struct(id, depth),
            Node::Enum(_) | Node::Opaque => return Some(false),
        }
        Some(true)
    }

    fn blank_struct(&mut self, id: &Id, depth: usize) -> Option<bool> {
        let Some(fields) = self.layout.structs.get(id) else { return Some(false) };
        put_map(&mut self.out, u32::try_from(fields.required.len()).ok()?);
        for field in &fields.required {
            if !self.blank_field(fields, field, depth)? {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Copies a key; its text, where it is some.
    fn key(&mut self) -> Option<Option<&'a str>> {
        let (rest, head) = (self.rest, Head::of(self.rest)?);
        let Head::Plain { len } = head else { return None };
        self.copy(len)?;
        Some(head::text(&rest[..len]))
    }

    fn copy(&mut self, len: usize) -> Option<()> {
        let taken = self.take(len)?;
        self.out.put_slice(taken);
        Some(())
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }
}
