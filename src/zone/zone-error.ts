import { RecordRefused } from '../wire/dns/master-file.ts'

/** What is wrong with a zone as a whole, or with a record that does not belong where it stands: the reader of its file says in which line. */
export class ZoneError extends RecordRefused {}
