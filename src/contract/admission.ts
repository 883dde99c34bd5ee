/**
 * Who comes in: asked before anything has to leave.
 *
 * An admission is asked once for every value that somebody wants to store under a key that holds nothing, after its
 * size was found to fit. It does not see values that replace others: their key was admitted before.
 */
export interface Admission {
  /**
   * May it come in? `victim` names the key that would have to leave for it, undefined where there is room; it is only
   * called by those who want to know, since finding out may cost.
   */
  admits(key: string, weight: number, victim: () => string | undefined): boolean
  /** A stored key was read. On the path of every hit; absent where the admission does not care. */
  onUse?(key: string): void
}
