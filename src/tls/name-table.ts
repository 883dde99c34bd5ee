/** Finds what belongs to the name a client asks for: the name itself, else the wildcard one label above (RFC 6125 §6.4.3). */
export class NameTable<T> {
  private readonly exact = new Map<string, T>()
  private readonly wildcards = new Map<string, T>()

  /** The first who claims a name has it. */
  add(name: string, value: T): void {
    const [table, key] = name.startsWith('*.') ? [this.wildcards, name.slice(2)] : [this.exact, name]
    if (!table.has(key)) table.set(key, value)
  }

  find(name: string): T | undefined {
    const host = name.toLowerCase().replace(/\.$/, '')
    const exact = this.exact.get(host)
    if (exact !== undefined || this.wildcards.size === 0) return exact
    const dot = host.indexOf('.')
    return dot <= 0 ? undefined : this.wildcards.get(host.slice(dot + 1))
  }
}
