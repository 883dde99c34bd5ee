/** What is wrong in an expression, and where it stands: `column` counts from 1. */
export class ExpressionError extends Error {
  readonly column: number

  constructor(column: number, text: string) {
    super(text)
    this.column = column
  }
}
