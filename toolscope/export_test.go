package toolscope

// Normalize is for the tests of what no message shows.
var Normalize = normalize
