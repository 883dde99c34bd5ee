/** What a client may send before it is read (RFC 9113 §5.2): shrinks with what comes, and is given back by halves as it is read. */
export class ReceiveWindow {
  private readonly size: number
  private left: number
  /** Read, and not given back yet. */
  private owed = 0

  constructor(size: number) {
    this.size = size
    this.left = size
  }

  /** False: it is more than the window allows. */
  take(bytes: number): boolean {
    this.left -= bytes
    return this.left >= 0
  }

  giveBack(bytes: number): void {
    this.owed += bytes
  }

  /** By how much the client is to be told that the window is open again; 0 where it is not worth a frame yet. */
  payBack(): number {
    const { owed } = this
    if (owed < this.size / 2) return 0
    this.owed = 0
    this.left += owed
    return owed
  }
}
