// A truth value in a column: SQLite has no other.
export type Bit = 0 | 1;
