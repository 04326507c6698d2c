"""How close the integers of a compiled network are to float, on trained networks and real signals."""
