/** A worker for tests that ends as soon as it is told what to serve. */
process.on('message', () => process.exit(3))
