/** What becomes of a request, before units and framing. */

/** Where an answer came from: the word in metrics. */
export type AnswerSource = 'cache' | 'origin' | 'unit' | 'edge'

/** The head of an answer before units and framing. */
export interface Answer {
  readonly status: number
  readonly reason: string
  /** `name: value\r\n` for each header, without framing and connection headers. */
  readonly fields: string
  readonly source: AnswerSource
}
