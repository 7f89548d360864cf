mod expansion;
mod mistakes;
