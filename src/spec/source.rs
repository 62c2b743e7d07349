//! Which files are read, and how much of them. Touches the file system and standard input, nothing else.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::fault::{Fault, Faults, Place};
use super::{Loaded, meant};

/// The largest file that is read; a spec is a few kilobytes.
const LARGEST: u64 = 1024 * 1024;

/// The file that is read when none is named.
const DEFAULT: &str = "ekk.yaml";

/// Where a spec comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// A text with a name for messages.
    Text {
        /// What messages call it.
        name: String,
        /// The YAML.
        text: String,
    },
}

impl Source {
    /// Makes a source of a text.
    #[must_use]
    pub fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Text { name: name.into(), text: text.into() }
    }

    /// Returns what messages call it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stdin => "standard input".to_owned(),
            Self::Text { name, text: _ } => name.clone(),
        }
    }

    /// Reads the text; a file that is too large is refused without being read.
    pub(super) fn read(&self) -> Result<String, Faults> {
        let name = self.name();
        let unreadable = |error: &io::Error| Faults::of_file(&name, format!("cannot be read: {error}"), "");
        let bytes = match self {
            Self::Text { name: _, text } => text.clone().into_bytes(),
            Self::Stdin => some_of(io::stdin().lock()).map_err(|error| unreadable(&error))?,
            Self::File(path) => {
                let file = File::open(path).map_err(|error| unreadable(&error))?;
                let size = file.metadata().map_err(|error| unreadable(&error))?.len();
                if size > LARGEST {
                    return Err(too_large(&name));
                }
                some_of(file).map_err(|error| unreadable(&error))?
            }
        };
        if bytes.len() as u64 > LARGEST {
            return Err(too_large(&name));
        }
        String::from_utf8(bytes).map_err(|error| not_utf8(&name, error.as_bytes(), error.utf8_error().valid_up_to()))
    }
}

fn too_large(name: &str) -> Faults {
    Faults::of_file(name, "is larger than 1 MiB", "a spec is a few kilobytes")
}

/// Reads one byte more than is taken, so that an endless source ends.
fn some_of(source: impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn not_utf8(name: &str, bytes: &[u8], valid: usize) -> Faults {
    let text = String::from_utf8_lossy(&bytes[..valid]).into_owned();
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let help = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [_, 0, ..] | [0, _, ..] => "it looks like UTF-16; save it as UTF-8",
        _ => "save it as UTF-8",
    };
    let fault = Fault::at(Place { line, column, length: 1 }, "", "this byte is not UTF-8", help);
    Faults::in_text(name, &text, vec![fault])
}

/// Finds the specs that the arguments name: files, folders of `*.yaml` and `*.yml`, `-` for standard input, and
/// `ekk.yaml` when there are none. Folders are not searched deeper.
///
/// # Errors
/// Fails when a file or folder is not there, or a folder holds no spec.
pub fn find<T: AsRef<OsStr>>(arguments: &[T]) -> Result<Vec<Source>, Faults> {
    let mut sources = Vec::new();
    let default = [OsStr::new(DEFAULT)];
    let arguments: Vec<&OsStr> =
        if arguments.is_empty() { default.to_vec() } else { arguments.iter().map(T::as_ref).collect() };
    for argument in &arguments {
        if *argument == "-" {
            add(&mut sources, Source::Stdin);
            continue;
        }
        let path = Path::new(argument);
        if path.is_dir() {
            for file in specs_in(path)? {
                add(&mut sources, Source::File(file));
            }
        } else if path.exists() {
            add(&mut sources, Source::File(path.to_owned()));
        } else {
            return Err(absent(path));
        }
    }
    Ok(sources)
}

fn add(sources: &mut Vec<Source>, source: Source) {
    if !sources.contains(&source) {
        sources.push(source);
    }
}

fn specs_in(folder: &Path) -> Result<Vec<PathBuf>, Faults> {
    let name = folder.display().to_string();
    let entries =
        fs::read_dir(folder).map_err(|error| Faults::of_file(&name, format!("cannot be read: {error}"), ""))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| is_spec(path)).collect();
    files.sort();
    if files.is_empty() {
        return Err(Faults::of_file(&name, "holds no *.yaml or *.yml file", "name a file or a folder that does"));
    }
    Ok(files)
}

fn is_spec(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    is_yaml && !is_hidden && path.is_file()
}

fn absent(path: &Path) -> Faults {
    let name = path.display().to_string();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let there: Vec<String> = specs_in(folder)
        .unwrap_or_default()
        .iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    let wanted = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = |name: &str| name.rsplit_once('.').map_or_else(|| name.to_owned(), |(stem, _)| stem.to_owned());
    let close = there.iter().find(|name| stem(name) == stem(&wanted)).map(String::as_str);
    let help = match close.or_else(|| meant::closest(&wanted, there.iter().map(String::as_str))) {
        Some(file) => format!("did you mean {}?", folder.join(file).display().to_string().trim_start_matches("./")),
        None if name == DEFAULT => "name a file, a folder or -, or make one: `stack: NAME` is a whole spec".to_owned(),
        None => String::new(),
    };
    Faults::of_file(&name, "is not there", help)
}

/// Checks that no two files are the same stack at the same place, for they would undo each other's work. A file that
/// names no region or account may meet one that does.
///
/// # Errors
/// Returns a fault at the later of two such files.
pub fn distinct(loaded: &[(Source, Loaded)]) -> Result<(), Faults> {
    let may_meet = |one: &Option<String>, other: &Option<String>| one.is_none() || other.is_none() || one == other;
    for (number, (source, later)) in loaded.iter().enumerate() {
        for (first, earlier) in &loaded[..number] {
            let (one, other) = (&earlier.spec, &later.spec);
            if one.stack == other.stack
                && may_meet(&one.account, &other.account)
                && may_meet(&one.region, &other.region)
            {
                let message = format!("the stack `{}` stands in {}, too", other.stack, first.name());
                let help = "choose another name, or name a `region` or `account` of its own in each";
                // Standard input cannot be read again, so that the fault stands without its line.
                return Err(Faults::in_text(&source.name(), "", vec![Fault::nowhere("stack", message, help)]));
            }
        }
    }
    Ok(())
}
