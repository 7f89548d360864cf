use std::time::SystemTime;

/// What a new token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The token's name: rules and logs call its holder `token:NAME`. 1 to 64 letters, digits, `.`, `_` and `-`; the token's
    /// id if empty.
    pub name: String,
    /// The targets to call, the first preferred: at most 8.
    pub targets: Vec<String>,
    /// The methods that the token allows, such as `inventory.v1.Inventory/Get` or `inventory.v1.Inventory/*`: 1 to 64.
    pub methods: Vec<String>,
    /// The end of its validity.
    pub expires: SystemTime,
    /// The number of calls that it is good for, if that is limited.
    pub uses: Option<u32>,
    /// The node key that may use it, if it is for one alone.
    pub to: Option<[u8; 32]>,
}

/// What a narrowed token says. What is not said stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// The methods that are left, each one that the token allows; empty for all of them.
    pub methods: Vec<String>,
    /// An earlier end of its validity.
    pub expires: Option<SystemTime>,
    /// The number of calls that the narrowed token is good for. They count for the token too.
    pub uses: Option<u32>,
    /// The node key that alone may use the narrowed token.
    pub to: Option<[u8; 32]>,
}
