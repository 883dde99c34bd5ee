/** What is wrong with a zone as a whole, or with a record that does not belong where it stands. */
export class ZoneError extends Error {}
