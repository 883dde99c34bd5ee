/** What is wrong with a zone as a whole, or with a record that does not belong where it stands: in a file, that is told with the line. */
import { RecordRefused } from '../wire/dns/master-file.ts'

export class ZoneError extends RecordRefused {}
