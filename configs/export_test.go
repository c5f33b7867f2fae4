package configs

// Nearest is for the tests of what no message shows.
var Nearest = nearest
