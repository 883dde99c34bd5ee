/** Bytes that are no message of the DNS. What was read of its header is answered with FORMERR where that is more than nothing. */
export class DnsMalformed extends Error {}
