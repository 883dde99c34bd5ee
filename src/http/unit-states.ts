/** `edge.state` of the units of one request, as lines of edits (see `sandbox/protocol.ts`): taken out of each trip, and given to the next. */

/** Characters of one unit's state: as the guest has it. */
const STATE_MAX = 65_536

export class UnitStates {
  private readonly byUnit = new Map<string, string>()
  /** For the next trip. */
  lines = ''

  /** Whether there is any in a text of edits. */
  static isIn(edits: string): boolean {
    return edits.startsWith('z ') || edits.includes('\nz ')
  }

  /** Keeps the states in a text of edits, and returns the rest of it. */
  take(edits: string): string {
    const rest: string[] = []
    for (const line of edits.split('\n')) {
      const [, unit, json] = /^z (\S+) ([ -~]*)$/.exec(line) ?? []
      if (unit === undefined) rest.push(line)
      else if (json!.length <= STATE_MAX) this.byUnit.set(unit, json!)
    }
    this.lines = ''
    for (const [unit, json] of this.byUnit) this.lines += `z ${unit} ${json}\n`
    return rest.join('\n')
  }
}
