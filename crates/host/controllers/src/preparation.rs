//! From the bytes of a module to a signed image: digest, compiler, manifest, signature.
//!
//! Left out: where the bytes come from, and where the image goes.

use wasmbed_crds::application::RestartPolicy;
use wasmbed_crds::application_revision::{Needs, RevisionTemplate};
use wasmbed_crds::limits::MODULE_BYTES_MAX;
use wasmbed_image::grants::text::ParseErrorKind;
use wasmbed_image::{GrantList, Manifest};
use wasmbed_model::condition::reasons;
use wasmbed_model::host_interface;
use wasmbed_model::ids::{self, AppId, Digest};
use wasmbed_model::source_map::SourceMap;
use wasmbed_pki::ImageSigner;
use wasmbed_wire::limits::IMAGE_BYTES_MAX;

use crate::compile::{Compiled, compile};
use crate::configuration::Strings;

/// Bytes to which everything in a device's arena is aligned.
const ARENA_ALIGN_BYTES: u64 = 8;
/// First bytes of every WebAssembly module.
const WASM_MAGIC: &[u8] = b"\0asm";

/// Why something was not prepared: a reason and a sentence for a condition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Reason, from `model`.
    pub reason: &'static str,
    /// A sentence with the numbers.
    pub message: String,
    /// Whether it may pass by itself, so that trying again makes sense.
    pub is_transient: bool,
}

impl Refusal {
    /// It stays like this until somebody changes something.
    pub fn lasting(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), is_transient: false }
    }

    /// It may pass by itself.
    pub fn transient(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), is_transient: true }
    }
}

/// Which application an image is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Subject {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: AppId,
    /// Its generation.
    pub generation: u64,
}

/// A signed image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signed {
    /// SHA-256 of the module.
    pub module_digest: Digest,
    /// The image.
    pub image: Vec<u8>,
    /// SHA-256 of the image.
    pub image_digest: Digest,
    /// Where its code came from, encoded.
    pub source_map: Vec<u8>,
    /// Number of its format.
    pub image_format: u8,
    /// What a device must have.
    pub needs: Needs,
    /// What its firmware must offer.
    pub host_interface: Vec<String>,
    /// The manifest.
    pub manifest: Vec<u8>,
    /// Ed25519 signature over it.
    pub signature: [u8; 64],
}

/// Compares the digest, looks at the first bytes, compiles and signs. The same input always gives
/// the same image.
///
/// # Errors
/// [`Refusal`], which says what is wrong with the module or with what the Application asks for.
pub fn prepare(
    module: &[u8],
    expected: Option<Digest>,
    subject: &Subject,
    template: &RevisionTemplate,
    signer: &ImageSigner,
) -> Result<Signed, Refusal> {
    let module_digest = ids::sha256(module);
    check_module(module, module_digest, expected)?;
    let granted = granted(&template.capabilities)?;
    let strings = Strings::of(template.config.as_ref())?;
    let compiled = compile(module, template.limits, granted.grants())?;
    check_image(&compiled)?;
    let image_digest = ids::sha256(&compiled.image);
    let manifest = Manifest {
        namespace: &subject.namespace,
        app_name: &subject.name,
        app_uid: subject.uid.0,
        generation: subject.generation,
        image_digest: image_digest.0,
        image_bytes: compiled.image.len() as u32,
        grants: granted.grants(),
        config: strings.signed(),
        limits: compiled.limits,
        restart_policy: match template.restart_policy {
            RestartPolicy::Always => wasmbed_image::RestartPolicy::Always,
            RestartPolicy::OnFailure => wasmbed_image::RestartPolicy::OnFailure,
            RestartPolicy::Never => wasmbed_image::RestartPolicy::Never,
        },
        priority: clamp_priority(template.priority),
    };
    let mut buffer = [0; wasmbed_image::limits::MANIFEST_BYTES_MAX];
    let manifest_bytes = manifest.encode(&mut buffer).map_err(|error| {
        let message = format!(
            "names, capabilities and configuration together do not fit a manifest of {} bytes: \
             {error:?}",
            buffer.len()
        );
        Refusal::lasting(reasons::TOO_LARGE, message)
    })?;
    let manifest = buffer[..manifest_bytes].to_vec();
    let signature = signer
        .sign(&manifest)
        .map_err(|error| Refusal::lasting(reasons::TOO_LARGE, error.to_string()))?;
    let needs = needs(&compiled);
    let Compiled { image, format: image_format, source, host_calls, .. } = compiled;
    let host_interface = host_interface::names(host_calls).into_iter().map(str::to_owned).collect();
    let source_map = SourceMap::new(source).encode();
    Ok(Signed {
        module_digest,
        image,
        image_digest,
        source_map,
        image_format,
        needs,
        host_interface,
        manifest,
        signature,
    })
}

fn check_module(module: &[u8], digest: Digest, expected: Option<Digest>) -> Result<(), Refusal> {
    if let Some(expected) = expected
        && expected != digest
    {
        let message = format!("the module has the digest sha256:{digest}, not sha256:{expected}");
        return Err(Refusal::lasting(reasons::DIGEST_MISMATCH, message));
    }
    if module.len() > MODULE_BYTES_MAX {
        let message =
            format!("the module has {} bytes, at most {MODULE_BYTES_MAX} are taken", module.len());
        return Err(Refusal::lasting(reasons::TOO_LARGE, message));
    }
    if !module.starts_with(WASM_MAGIC) {
        let message = "the bytes are not a WebAssembly module: they do not begin with \\0asm";
        return Err(Refusal::lasting(reasons::NOT_WEB_ASSEMBLY, message));
    }
    Ok(())
}

fn check_image(compiled: &Compiled) -> Result<(), Refusal> {
    if compiled.image.len() as u64 > u64::from(IMAGE_BYTES_MAX) {
        let message = format!(
            "the image has {} bytes, no device takes more than {IMAGE_BYTES_MAX}",
            compiled.image.len()
        );
        return Err(Refusal::lasting(reasons::TOO_LARGE, message));
    }
    Ok(())
}

/// Reads the list of an Application.
fn granted(texts: &[String]) -> Result<GrantList, Refusal> {
    GrantList::parse(texts.iter().map(String::as_str)).map_err(|error| {
        let reason = match error.kind {
            ParseErrorKind::TooMany | ParseErrorKind::TooLong => reasons::TOO_LARGE,
            _ => reasons::CAPABILITY_UNKNOWN,
        };
        Refusal::lasting(reason, error.to_string())
    })
}

/// The schema bounds it already; an object written before that rule is taken as near as it goes.
fn clamp_priority(priority: i32) -> i16 {
    priority.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

fn needs(compiled: &Compiled) -> Needs {
    let parts = [compiled.image.len() as u64, compiled.working_bytes, compiled.grant_bytes];
    let arena: u64 = parts.iter().map(|bytes| bytes.next_multiple_of(ARENA_ALIGN_BYTES)).sum();
    Needs {
        arena_bytes: arena as i64,
        code_bytes: compiled.code_bytes as i64,
        memory_bytes: compiled.memory_bytes as i64,
        stack_bytes: compiled.stack_bytes as i64,
    }
}
