/// One form in which targets of a transport are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// What is before `://`. A form without that is recognised by how it begins.
    pub name: &'static str,
    /// What a target looks like, for messages: `tcp://host:port`.
    pub form: &'static str,
}

impl Scheme {
    /// Whether targets of this form have `://` behind the name.
    pub fn is_url(&self) -> bool {
        self.form.contains("://")
    }
}
