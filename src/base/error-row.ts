/** One row of the table of errors. */
export interface ErrorRow {
  readonly title: string
  readonly hint: string
  readonly source: 'client' | 'origin' | 'unit' | 'peer' | 'config' | 'internal'
  readonly retry: boolean
  readonly status: number
}

export const row = (
  title: string,
  hint: string,
  source: ErrorRow['source'],
  status: number,
  retry = false,
): ErrorRow => ({ title, hint, source, status, retry })
