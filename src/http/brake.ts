/** Holds an origin while somebody whom its answer goes to has no room: it goes on when all have. */
export type BrakedFor = 'client' | 'readers' | 'disk'

export class Brake {
  private readonly release: () => void
  private readonly held: Record<BrakedFor, boolean> = { client: false, readers: false, disk: false }

  constructor(release: () => void) {
    this.release = release
  }

  get isOn(): boolean {
    return this.held.client || this.held.readers || this.held.disk
  }

  pull(by: BrakedFor): void {
    this.held[by] = true
  }

  letGo(by: BrakedFor): void {
    this.held[by] = false
    if (!this.isOn) this.release()
  }
}
