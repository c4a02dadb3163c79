"""One module of views a family; `secondorder.labs.views()` imports them all."""
