//! Every file of `simulation/scenarios` holds, and what is wrong with a file is said well.

mod errors;
mod files;
