/** What is wrong in a Corefile, with the place: `Corefile:3 - …`. */
import { EdgeError } from '../../base/errors.ts'
import type { CorefileWord } from '../../contract/dns.ts'

export class CorefileError extends EdgeError {
  readonly file: string
  readonly line: number

  constructor(where: Pick<CorefileWord, 'file' | 'line'>, text: string) {
    super('corefile-invalid', `${where.file}:${where.line} - ${text}`)
    this.file = where.file
    this.line = where.line
  }
}
