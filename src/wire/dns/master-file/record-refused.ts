/** A record that is well written and has no place where it stands, as one outside of its zone. */
export class RecordRefused extends Error {}
