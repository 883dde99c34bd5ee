/** What is wrong with a source, and where. */
export interface SourceProblem {
  readonly message: string
  /** From 1; undefined where it is of no line. */
  readonly line?: number | undefined
  readonly column?: number | undefined
  /** Another file than the program's own, such as a header. */
  readonly file?: string | undefined
}
