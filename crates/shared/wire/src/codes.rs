//! Small numbers with a meaning. A number a newer peer invents is kept as `Other`, never refused.

use wasmbed_cbor::{Reader, Value, Writer};

macro_rules! codes {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $value:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// A number this version has no name for.
            Other(u8),
        }

        impl $name {
            /// Every code this version names, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The number on the wire.
            pub const fn number(self) -> u8 {
                match self {
                    $(Self::$variant => $value,)*
                    Self::Other(number) => number,
                }
            }

            /// The code of a number from the wire.
            pub const fn from_number(number: u8) -> Self {
                match number {
                    $($value => Self::$variant,)*
                    other => Self::Other(other),
                }
            }

            /// The name users see: CamelCase, as a Kubernetes reason.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                    Self::Other(_) => "Unknown",
                }
            }
        }

        impl<'b> Value<'b> for $name {
            fn read(reader: &mut Reader<'b>) -> Option<Self> {
                u8::read(reader).map(Self::from_number)
            }

            fn write(&self, writer: &mut Writer<'_>) {
                self.number().write(writer);
            }
        }
    };
}

codes! {
    /// Why a gateway ends a session before it began.
    RefusedReason {
        /// The peers share no protocol version; the message says which this one speaks.
        VersionUnsupported = 1,
        /// The Device is disabled: its key is on the deny record.
        Revoked = 2,
        /// No Enrollment has this token.
        TokenUnknown = 3,
        /// The Enrollment's time is over.
        TokenExpired = 4,
        /// The Enrollment was used as often as it allows.
        TokenUsedUp = 5,
        /// No token was given and no pairing window is open.
        PairingClosed = 6,
        /// The key waits for someone to approve it.
        PendingApproval = 7,
        /// The device belongs to another namespace than this gateway serves.
        WrongNamespace = 8,
        /// Too many sessions or enrolments at once; try again later.
        Busy = 9,
        /// A message came that this phase of the session does not allow.
        UnexpectedMessage = 10,
        /// A frame could not be decoded.
        Malformed = 11,
        /// A newer session of the same device took over.
        Superseded = 12,
        /// The gateway is shutting down.
        ShuttingDown = 13,
        /// The gateway cannot reach the control plane and so cannot decide.
        ControlPlaneUnavailable = 14,
    }
}

codes! {
    /// Where a guest stands on its device.
    GuestState {
        /// Chunks are arriving.
        Installing = 1,
        /// The image is verified and stored, and does not run.
        Installed = 2,
        /// The first slice has executed since the last start.
        Running = 3,
        /// Stopped because someone wants it so.
        Stopped = 4,
        /// The guest's entry function returned.
        Finished = 5,
        /// The guest trapped and waits for its back-off, or stays down.
        Failed = 6,
        /// The device will not take or start this image; the reason says why.
        Refused = 7,
        /// The guest and its image are gone.
        Removed = 8,
    }
}

codes! {
    /// Why a guest is in its state.
    GuestReason {
        /// Nothing out of the ordinary.
        None = 0,
        /// The manifest's signature is by none of the pinned keys.
        SignatureInvalid = 1,
        /// The bytes received do not have the digest of the manifest.
        DigestMismatch = 2,
        /// The manifest could not be decoded.
        ManifestMalformed = 3,
        /// The manifest names another namespace, uid or generation than was announced.
        ManifestMismatch = 4,
        /// A newer generation of the application was already installed.
        GenerationTooLow = 5,
        /// The table of generations is full.
        GenerationTableFull = 6,
        /// The image is larger than a slot, or no slot is free.
        NoImageSlot = 7,
        /// The guest needs more memory than the arena has free.
        ArenaTooSmall = 8,
        /// The image's bytes are not a valid image for this engine.
        ImageMalformed = 9,
        /// The image format is another than this firmware executes.
        ImageFormatUnsupported = 10,
        /// The image imports a function this firmware lacks or the manifest does not grant.
        ImportRefused = 11,
        /// All places for guests are taken.
        TooManyGuests = 12,
        /// The journal refused or failed a write.
        StorageFailed = 13,
        /// `unreachable` was executed.
        TrapUnreachable = 32,
        /// A memory access was out of bounds.
        TrapMemoryOutOfBounds = 33,
        /// A table access was out of bounds.
        TrapTableOutOfBounds = 34,
        /// An indirect call met a function of another type, or none.
        TrapIndirectCall = 35,
        /// Integer division by zero.
        TrapDivideByZero = 36,
        /// Integer overflow in a division or conversion.
        TrapIntegerOverflow = 37,
        /// The call depth that was proved for the image was exceeded.
        TrapStackExhausted = 38,
        /// The fuel limit was used up.
        TrapFuelExhausted = 39,
        /// A host function was called with arguments it does not allow.
        TrapHostCall = 40,
        /// The guest ended itself with a code other than 0.
        ExitedWithError = 41,
        /// What is not a number was converted to an integer.
        TrapInvalidConversion = 42,
        /// The guest did not end within its grace period after it was asked to stop.
        KilledAfterGrace = 43,
    }
}

codes! {
    /// Why the device started this time.
    ResetReason {
        /// Power came on, or nothing else is known.
        PowerOn = 1,
        /// A Reboot command.
        Commanded = 2,
        /// The firmware's panic handler ran.
        Panic = 3,
        /// A processor fault.
        HardFault = 4,
        /// The loop of the firmware was stuck.
        Watchdog = 5,
        /// A stack of the firmware was too small.
        StackOverflow = 6,
    }
}

codes! {
    /// What became of a command.
    CommandOutcome {
        /// Done.
        Done = 0,
        /// No such application on this device.
        NoSuchApp = 1,
        /// The state of the guest does not allow it.
        NotAllowed = 2,
        /// This firmware does not know the command.
        Unsupported = 3,
        /// Tried and failed.
        Failed = 4,
        /// No guest that runs here may receive this topic.
        NoReceiver = 5,
        /// A guest that may receive it has no room left; the result says how many took it.
        QueueFull = 6,
    }
}
