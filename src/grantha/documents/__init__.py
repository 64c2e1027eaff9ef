"""Documents as text: PDF, Word, Excel and PowerPoint files, converted in a child process with limits."""
