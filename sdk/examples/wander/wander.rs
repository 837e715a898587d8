//! A load pattern in Rust: the rate wanders. After each step of time it goes up or down by one share, by the
//! seed, and stays within a factor of where it began. An open loop: its times depend on nothing but options
//! and seed.
//!
//! abi.rs is made from the C header by bindgen (docs/plugins.md has the commands). Compiled with panic=abort: a
//! panic must not unwind into the host, and an abort is reported with the names of the module and the call.

#[allow(dead_code, non_camel_case_types, non_upper_case_globals)]
mod abi; // made, never edited

use abi::*;
use std::mem::{replace, size_of};

struct Wander {
    low: f64, // requests per second, as are `rate` and `high`
    high: f64,
    rate: f64,   // in this step
    factor: f64, // of one step up; a step down divides by it
    every_ns: i64,
    every_s: f64,
    step: i64,
    in_step_s: f64, // the last release, since the start of its step
    needed: f64,    // requests from there to the next release: 1, before the first one 0
    random: u64,
}

impl Wander {
    fn new(config: &str, seed: u64) -> Option<Wander> {
        let rate = number_of(config, "rate")?;
        let within = number_of(config, "within")?;
        let change = number_of(config, "change")?;
        let every_s = number_of(config, "every")?;
        if !(rate > 0.0 && within >= 1.0 && change > 0.0 && every_s > 0.0) {
            return None;
        }
        Some(Wander {
            low: rate / within,
            high: rate * within,
            rate,
            factor: 1.0 + change,
            every_ns: (every_s * 1e9).round() as i64,
            every_s,
            step: 0,
            in_step_s: 0.0,
            needed: 0.0,
            random: seed,
        })
    }

    /// When the next request is due, in ns since the start of the phase: the sum of rate x time is one more.
    fn next_ns(&mut self) -> i64 {
        let mut needed = replace(&mut self.needed, 1.0);
        while needed > self.left_in_step() {
            needed -= self.left_in_step();
            self.step += 1;
            self.in_step_s = 0.0;
            self.walk();
        }
        self.in_step_s += needed / self.rate;
        let in_step_ns = ((self.in_step_s * 1e9).round() as i64).min(self.every_ns);
        self.step.saturating_mul(self.every_ns).saturating_add(in_step_ns)
    }

    /// Requests.
    fn left_in_step(&self) -> f64 {
        (self.every_s - self.in_step_s) * self.rate
    }

    /// One step up or down; one that would leave the bounds is not taken.
    fn walk(&mut self) {
        let is_up = self.next_random() >> 63 == 1;
        let rate = if is_up { self.rate * self.factor } else { self.rate / self.factor };
        if rate >= self.low && rate <= self.high {
            self.rate = rate;
        }
    }

    /// SplitMix64: whole numbers only, so the same on every machine.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }
}

/// The number behind "key": in canonical JSON. The host has checked the options against the schema and filled
/// in the defaults; all of them are numbers, so no text value can hold a key.
fn number_of(json: &str, key: &str) -> Option<f64> {
    let (_, behind) = json.split_once(&format!("\"{key}\":"))?;
    behind.split([',', '}']).next()?.trim().parse().ok()
}

// What the host calls. It keeps the rules of abi.h: no pointer here is NULL, and no handle is entered twice.

unsafe fn borrow<'a>(text: tkm_str) -> &'a str {
    if text.size == 0 {
        return ""; // data may be NULL
    }
    std::str::from_utf8(std::slice::from_raw_parts(text.data.cast(), text.size)).unwrap_or("")
}

unsafe extern "C" fn create(
    args: *const tkm_create_args,
    err: *const tkm_writer,
    out: *mut *mut tkm_pattern,
) -> tkm_status {
    match Wander::new(borrow((*args).config), (*args).seed) {
        Some(pattern) => {
            *out = Box::into_raw(Box::new(pattern)).cast();
            TKM_OK as tkm_status
        }
        None => {
            if let Some(write) = (*err).write {
                let sentence = "wander: \"rate\", \"change\" and \"every\" must be greater than 0, \"within\" at least 1";
                write((*err).ctx, text(sentence));
            }
            TKM_E_CONFIG as tkm_status
        }
    }
}

unsafe extern "C" fn destroy(pattern: *mut tkm_pattern) {
    drop(Box::from_raw(pattern.cast::<Wander>()));
}

unsafe extern "C" fn next(
    pattern: *mut tkm_pattern,
    _state: *const tkm_load_state,
    out: *mut tkm_load_step,
    _err: *const tkm_writer,
) -> tkm_status {
    let pattern = &mut *pattern.cast::<Wander>();
    (*out).action = TKM_LOAD_RELEASE as i32;
    (*out).at_ns = pattern.next_ns();
    (*out).users = 0;
    TKM_OK as tkm_status
}

// What the host reads: static data with pointers in it, which nobody writes.

#[repr(transparent)]
struct Shared<T>(T);
unsafe impl<T> Sync for Shared<T> {}

const fn text(literal: &'static str) -> tkm_str {
    tkm_str { data: literal.as_ptr().cast(), size: literal.len() }
}

static OPS: Shared<tkm_pattern_ops> = Shared(tkm_pattern_ops {
    struct_size: size_of::<tkm_pattern_ops>() as u32,
    reserved: 0,
    create: Some(create),
    destroy: Some(destroy),
    next: Some(next),
});

static CAPABILITIES: Shared<[tkm_str; 2]> = Shared([text("open-loop"), text("unsteady")]);

static COMPONENT: Shared<tkm_component> = Shared(tkm_component {
    struct_size: size_of::<tkm_component>() as u32,
    kind: TKM_KIND_PATTERN as i32,
    id: text("wander"),
    summary: text("a rate that goes up or down by chance, step by step"),
    config_schema: text(
        r#"{"type":"object","required":["rate"],"properties":{
"rate":{"type":"number","minimum":0.01,"maximum":1000000,"description":"Requests per second at the start.","examples":[10]},
"within":{"type":"number","minimum":1,"maximum":100,"default":4,"description":"The rate stays between the first one divided by and times this.","examples":[2]},
"change":{"type":"number","exclusiveMinimum":0,"maximum":1,"default":0.1,"description":"One step: up by this share of the rate, or back down.","examples":[0.2]},
"every":{"type":"string","format":"duration","minimum":0.01,"default":"1s","description":"Time from step to step.","examples":["5s"]}}}"#,
    ),
    capabilities: CAPABILITIES.0.as_ptr(),
    capability_count: CAPABILITIES.0.len(),
    ops: (&OPS as *const Shared<tkm_pattern_ops>).cast(),
});

static COMPONENTS: Shared<[*const tkm_component; 1]> = Shared([&COMPONENT.0]);

static MODULE: Shared<tkm_module> = Shared(tkm_module {
    struct_size: size_of::<tkm_module>() as u32,
    abi_minor: TKM_ABI_MINOR,
    min_host_minor: TKM_ABI_MIN_HOST_MINOR,
    reserved: 0,
    name: text("wander"),
    version: text("0.1.0"),
    license: text("Apache-2.0"),
    components: COMPONENTS.0.as_ptr(),
    component_count: COMPONENTS.0.len(),
});

#[no_mangle]
pub extern "C" fn tkm_module_v1() -> *const tkm_module {
    &MODULE.0
}

/// What TKM_NOTE makes in C. The section's name gives it its type.
#[repr(C)]
struct Note {
    owner_size: u32,
    words_and_lines_size: u32,
    kind: u32,
    owner: [u8; 12], // "tokometer" and a NUL, filled up to a multiple of 4
    words: [u32; 4],
    lines: [u8; 28], // filled up to a multiple of 4
}

#[used]
#[link_section = ".note.tokometer"]
static NOTE: Note = Note {
    owner_size: 10,
    words_and_lines_size: 16 + 28,
    kind: 1,
    owner: *b"tokometer\0\0\0",
    words: [TKM_ABI_MAJOR, TKM_ABI_MINOR, TKM_ABI_MIN_HOST_MINOR, TKM_ABI_DRAFT],
    lines: *b"module=wander\nversion=0.1.0\n",
};
