//! The rules of the language by name: the last part of a diagnostic's code.

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $code:literal,)*) => {
        /// Which rule of the language is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every kind, in the order of the reading.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The last part of the diagnostic's code, such as `unknown_key`.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$kind => $code,)*
                }
            }
        }
    };
}

kinds! {
    /// A file or folder cannot be read.
    Unreadable = "unreadable",
    /// Larger than a spec may be, in bytes, values or depth.
    TooLarge = "too_large",
    /// Not UTF-8 text.
    NotText = "not_text",
    /// Not YAML.
    Syntax = "syntax",
    /// A key that is no text, or stands twice in one mapping.
    Key = "key",
    /// A `*alias` whose anchor is not there, or a `<<` without a mapping.
    Alias = "alias",
    /// A YAML tag such as `!include`.
    YamlTag = "yaml_tag",
    /// No ImageStack document in a file or folder.
    NoDocument = "no_document",
    /// A document of another kind.
    OtherDocument = "other_document",
    /// An `apiVersion` or a `kind` that is not ours, by a typing slip.
    ApiVersion = "api_version",
    /// A key the language does not know.
    UnknownKey = "unknown_key",
    /// A key that has to be there.
    MissingKey = "missing_key",
    /// A key without a value.
    NoValue = "no_value",
    /// A list where a mapping belongs, and the like.
    WrongType = "wrong_type",
    /// Not a name, or not text for people.
    Name = "name",
    /// A name that stands for two things.
    DuplicateName = "duplicate_name",
    /// Not an engine's address.
    Endpoint = "endpoint",
    /// Not a registry's host, or one registry twice.
    Registry = "registry",
    /// A secret in the file.
    LiteralSecret = "literal_secret",
    /// Not exactly one good source of a password, or half a login.
    Credentials = "credentials",
    /// Not a repository.
    Repository = "repository",
    /// Not a tag.
    Tag = "tag",
    /// Not one thing to follow, or not a rule that chooses among tags.
    Policy = "policy",
    /// Not a tag and not a digest.
    Pin = "pin",
    /// Neither to stay nor to go.
    MajorUpgrade = "major_upgrade",
    /// No image to be built on, or no tag of it to follow.
    Base = "base",
    /// Not a folder or a file to build from.
    Build = "build",
    /// Not a repository, a workflow or a branch of GitHub's.
    GitHub = "github",
    /// Not a schedule.
    Schedule = "schedule",
    /// Fewer builds to keep than there are.
    Keep = "keep",
    /// A rule that is not for any nodes, or that says what cannot be done there.
    Node = "node",
    /// Not a size.
    Size = "size",
    /// Not a duration.
    Duration = "duration",
    /// No way to roll a service out.
    Rollout = "rollout",
    /// An image that is not defined.
    UnknownImage = "unknown_image",
    /// A service that is not defined, in `after`.
    UnknownService = "unknown_service",
    /// Not a stack file, or not a service of one.
    StackFile = "stack_file",
    /// Services that wait for each other, or a service for itself.
    Cycle = "cycle",
}
