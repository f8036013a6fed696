import{B as a}from"./DJHJnZ69.js";a();
